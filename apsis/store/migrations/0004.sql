-- A step of a run moves fewer index entries: run_state finds what is unfinished, instances are asked only how they ended.

drop index run_unfinished;

drop index run_instance;
create index run_instance on run (job_id, args, state) where state in ('success', 'failure', 'error', 'skipped');
