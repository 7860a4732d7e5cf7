"""Speed and accuracy, measured side by side."""

import zoo  # noqa: F401  (sets what TensorFlow reads when it is imported)
