-- Every filter of runs is a stretch of an index that is ordered by time, so that no page needs more than it shows.

drop index run_job;
create index run_job on run (job_id, state, schedule_time, seq);

drop index run_rerun;
create index run_rerun on run (rerun_of, schedule_time, seq) where rerun_of is not null;
