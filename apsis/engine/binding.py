"""The seam at which a job's templates are filled in for a run."""

from apsis.domain.args import check_args
from apsis.domain.errors import ApsisError
from apsis.domain.job import Bound, Job
from apsis.domain.run import Run
from apsis.lib.seam import Failure, attempt


def bind(job: Job, run: Run) -> Bound | Failure:
    """Return what the run will do and wait for, or in words why the job does not say so for its args."""

    def work() -> Bound | Failure:
        try:
            check_args(job.job_id, job.params, run.args)
            return job.template.bind(job.job_id, run.run_id, run.args, run.nominal_time)
        except ApsisError as error:
            return Failure(error.message)

    return attempt("binding", run.run_id, work)
