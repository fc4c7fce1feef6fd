"""Where a recorder's sound belongs on the camera's time line. Pure, and not yet in use."""
