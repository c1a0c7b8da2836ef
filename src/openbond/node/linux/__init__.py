"""The only room that touches the kernel."""
