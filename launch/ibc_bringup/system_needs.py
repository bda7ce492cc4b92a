"""What the stack needs of the system, for `make setup` and for `ibc doctor`.

Nothing but data: this is read before anything is installed, perhaps by an older Python.
"""

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)

# Shared library -> the Debian/Ubuntu packages that bring it, what fails without it.
LIBRARIES = {
    'libusb-1.0.so.0': ('libusb-1.0-0', 'pyrealsense2 cannot be imported'),
    'libudev.so.1': ('libudev1', 'pyrealsense2 cannot be imported'),
    'libGL.so.1': ('libgl1', 'cv2 cannot be imported'),
    'libglib-2.0.so.0': ('libglib2.0-0', 'cv2 cannot be imported'),
    'libEGL.so.1': ('libegl1 libgl1-mesa-dri', 'the twin cannot render with EGL'),
    'libSM.so.6': ('libsm6 libice6', 'the mouse window cannot open'),
}
