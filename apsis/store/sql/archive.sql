-- Statements of the archive. Those that name `live` are for the archive's own connection, to which the server's database
-- is attached to be read; the others are for the server's writer.

-- name: archivable
select run_id, state, log_length, schedule_time, seq from live.run indexed by run_time
where (schedule_time, seq) > (:time, :seq) and schedule_time < :before
    and state in ('success', 'failure', 'error', 'skipped')
    -- A mark is a change too: what somebody touched lately stays.
    and coalesce((select time from live.run_log l where l.run_id = run.run_id order by l.seq desc limit 1), schedule_time)
        < :before
    -- A run that was decided before its time is what keeps the planner from making it again.
    and (adhoc = 1 or not exists (
        select 1 from live.planned p where p.job_id = run.job_id and p.until < run.schedule_time))
    and not exists (select 1 from live.delivery d where d.run_id = run.run_id)
order by schedule_time, seq limit :limit

-- name: archive_versions
insert or ignore into main.job_version select * from live.job_version
where blob in (select blob from live.run where run_id in (select value from json_each(?)))

-- name: archive_args
insert into main.run_arg (job_id, name, value, schedule_time, seq)
select run.job_id, arg.key, arg.value, run.schedule_time, run.seq
from main.run cross join json_each(run.args) arg where run_id in (select value from json_each(?))

-- name: archived_files
select run_id, attempt from main.run_output where data is null and run_id in (select value from json_each(?))

-- name: outputs_of
select run_id, count(*) from main.run_output where run_id in (select value from json_each(?)) group by run_id

-- name: delete_args_of
delete from main.run_arg where (job_id, name, value, schedule_time, seq) in (
    select run.job_id, arg.key, arg.value, run.schedule_time, run.seq
    from main.run cross join json_each(run.args) arg where run_id in (select value from json_each(?)))

-- name: leaving_run
select job_id, args, state, log_length,
    (select count(*) from run_output o where o.run_id = run.run_id) as outputs,
    exists (select 1 from delivery d where d.run_id = run.run_id) as pending
from run where run_id = ?

-- name: insert_archived_instance
insert or ignore into archived_instance (job_id, args, state) values (?, ?, ?)

-- name: insert_archived_files
insert or ignore into archived_file (run_id, attempt)
select run_id, attempt from run_output where run_id = ? and data is null

-- name: unnamed_files
select run_id, attempt from archived_file f
where not exists (select 1 from run_output o where o.run_id = f.run_id and o.attempt = f.attempt)

-- name: forget_archived_file
delete from archived_file where run_id = ? and attempt = ?
