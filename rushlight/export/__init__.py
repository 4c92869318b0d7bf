"""torch.export: a model as a program apart from its Python code, good for any size that is left open.

The model is recorded by Rushlight's own recorder (`recording.py`), once as the example is and again at other sizes
(`tracing.py`); laid side by side (`graph.py`) the recordings show what depends on which size (`sizes.py`). An
`ExportedProgram` (`program.py`) shows that as an fx graph and runs it (`calls.py`); `rushlight.onnx` writes files.
"""

from rushlight.core.missing import missing
from rushlight.export.dims import Dim, dims
from rushlight.export.program import ExportedProgram, ExportGraphSignature, export

__all__ = ["Dim", "ExportGraphSignature", "ExportedProgram", "dims", "export"]

__getattr__ = missing(__name__)
