"""The command line (`main`), and what makes `import torch` mean Rushlight (`alias`)."""
