"""Backend ``tflite``: files for phones and microcontrollers, converted by TensorFlow and run before they go out."""
