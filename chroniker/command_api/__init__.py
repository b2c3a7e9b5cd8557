"""What a running command may call: the fence around its effects, and the count of a monitor."""
