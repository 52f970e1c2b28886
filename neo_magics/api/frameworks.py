"""The frameworks of the API that the local service compiles; the others are refused by name at Create."""

from __future__ import annotations

LOCAL_FRAMEWORKS = (
    "PYTORCH",
    "ONNX",
    "KERAS",
    "TFLITE",
    "DARKNET",
    "MXNET",
    "TENSORFLOW",
    "XGBOOST",
    "SKLEARN",
)


def refusal(framework: str) -> str:
    """Why a job with `framework` is refused here, with the next step; "" if it is not."""
    if framework in LOCAL_FRAMEWORKS:
        return ""
    known = ", ".join(LOCAL_FRAMEWORKS)
    return (
        f"{framework} is not yet supported locally; export the model to ONNX, or use --backend sagemaker "
        f"(here: {known})"
    )
