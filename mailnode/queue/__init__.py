"""What do we still owe? The durable spool, its schedule and its runner."""
