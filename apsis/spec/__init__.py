"""The job file and apsis.yaml as written, loading, binding."""
