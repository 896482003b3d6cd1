#!/bin/sh
# Check the job files of a repository; what a repository of jobs runs in its own CI, and before a commit.
#
# It says exactly what the server will say of a push, and needs neither a server nor a network. In a CI:
#
#     pip install apsis
#     checks/check-job.sh                 # the files as they are checked out
#     checks/check-job.sh --rev HEAD      # a commit
#     checks/check-job.sh --format json
#
# As a git hook: ln -s ../../checks/check-job.sh .git/hooks/pre-commit
#
# Exits with 0 if there are no errors, 1 if there are some, 2 if it could not look, 127 if Apsis is not installed.
set -eu
command -v apsis >/dev/null || { echo "check-job.sh: apsis is not installed: pip install apsis" >&2; exit 127; }
exec apsis check-job "$@"
