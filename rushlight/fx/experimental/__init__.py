"""torch.fx.experimental: questions that libraries ask of a tracer, and of sizes that are not known."""
