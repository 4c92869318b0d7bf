"""torch.fx.experimental: questions that libraries ask of a tracer, of which there is none here."""
