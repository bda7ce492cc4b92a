"""Camera node: RealSense device, recorded file or the twin, behind one set of topics."""
