"""The kernel: rows, changes and requests. It knows no domain, and nothing in it names a resource."""
