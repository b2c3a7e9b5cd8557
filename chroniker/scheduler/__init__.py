"""The tick: find due jobs, claim them, dispatch their runs; the loop around it; retention."""
