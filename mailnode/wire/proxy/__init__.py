"""The PROXY protocol: what a load balancer says of the client before the client speaks."""
