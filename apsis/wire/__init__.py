"""HTTP and SSE messages shared by api and client."""
