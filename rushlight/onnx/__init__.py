"""torch.onnx: models as ONNX files, for other programs to run (https://onnx.ai).

`export` has the model recorded (`rushlight.export`), and writes each recorded operation as the ONNX operations that
mean the same; what they are stands in one table for each family: `pointwise.py`, `reductions.py`, `shapes.py`,
`indexing.py`, `making.py`, `products.py`, `windows.py`, `norms.py`, `recurrent.py`. They and the `onnx` package are
loaded by the first export.
"""

from rushlight.core.missing import missing
from rushlight.onnx.errors import OnnxExporterError
from rushlight.onnx.modes import OperatorExportTypes, TrainingMode, is_in_onnx_export

__all__ = [
    "ONNXProgram",
    "OnnxExporterError",
    "OperatorExportTypes",
    "TrainingMode",
    "errors",
    "export",
    "is_in_onnx_export",
]

__getattr__ = missing(
    __name__,
    {
        "export": f"{__name__}.exporter:export",
        "ONNXProgram": f"{__name__}.program:ONNXProgram",
        "errors": f"{__name__}.errors",
    },
)
