"""Where a recorder's sound belongs on the camera's time line. Pure: values in, values out."""
