"""Mouse teleoperation window: lead the tool over the board, record and label episodes."""
