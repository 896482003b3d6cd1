-- name: last_seq
select max(seq) from run

-- name: which_runs
select run_id from run where run_id in (select value from json_each(?))

-- name: insert_run
insert into run (seq, run_id, job_id, args, schedule_time, nominal_time, rerun_of, label, adhoc, repo,
    state, attempt, labels, revision, path, blob, timed_out, message, log_length, due, breached, times)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_run
update run set state = ?, attempt = ?, labels = ?, revision = ?, path = ?, blob = ?, timed_out = ?, message = ?,
    log_length = ?, due = ?, breached = ?, times = ?
where run_id = ?

-- name: insert_arg
insert into run_arg (job_id, name, value, schedule_time, seq) values (?, ?, ?, ?, ?)

-- name: insert_log
insert into run_log (run_id, seq, time, state, message, who) values (?, ?, ?, ?, ?, ?)

-- name: save_bound
insert into run_bound (run_id, bound) values (?, ?) on conflict (run_id) do update set bound = excluded.bound

-- name: save_meta
insert into run_meta (run_id, meta) values (?, ?)
on conflict (run_id) do update set meta = json_patch(meta, excluded.meta)

-- name: save_output
insert or replace into run_output (run_id, attempt, length, sha256, data) values (?, ?, ?, ?, ?)

-- name: run_seq
select seq from run where run_id = ?

-- name: delete_run
delete from run where run_id = ?

-- name: delete_arg
delete from run_arg where job_id = ? and name = ? and value = ? and schedule_time = ? and seq = ?

-- name: delete_log
delete from run_log where run_id = ?

-- name: load_run
select run.*, bound from run left join run_bound using (run_id) where run_id = ?

-- name: unfinished_runs
select run.*, bound from run indexed by run_state left join run_bound using (run_id)
where state in ('scheduled', 'waiting', 'starting', 'running', 'stopping')
order by schedule_time, run_id

-- name: settled_runs
select run_id, schedule_time from run indexed by run_state
where schedule_time > :now and adhoc = 0 and state in ('success', 'failure', 'error', 'skipped')
union all
select run_id, schedule_time from planned cross join run indexed by run_job using (job_id)
where until < :now and schedule_time > until and schedule_time <= :now
    and adhoc = 0 and state in ('success', 'failure', 'error', 'skipped')

-- name: finished_states
select column1 as state from (values ('success'), ('failure'), ('error'), ('skipped'))
where exists (
    select 1 from run indexed by run_instance where job_id = :job_id and args = :args and state = column1
        and state in ('success', 'failure', 'error', 'skipped'))
    or exists (select 1 from archived_instance where job_id = :job_id and args = :args and state = column1)

-- name: successes
select run_id from run where job_id = ? and state = 'success' order by schedule_time desc, seq desc limit ?

-- name: durations
with log as (
    select run_id, seq, time, state, lag(state) over (partition by run_id order by seq) as before from run_log
    where run_id in (select value from json_each(?))),
started as (
    select run_id, max(seq) as seq from log where state = 'running' and before is not state group by run_id)
select ended.time - began.time as ms from started
join log began using (run_id, seq)
join log ended on ended.run_id = started.run_id and ended.seq = (
    select min(seq) from log where run_id = started.run_id and seq > started.seq and state in ('success', 'failure', 'error'))

-- name: near_run_ids
select run_id from run where run_id >= :prefix and run_id < :after order by run_id limit :limit

-- name: run_log
select seq, time, state, message, who from run_log where run_id = ? and seq > ? order by seq

-- name: run_meta
select meta from run_meta where run_id = ?

-- name: stored_output
select attempt, length, sha256 from run_output where run_id = ? and attempt = ?

-- name: read_output
select data is null as in_file, substr(data, ? + 1, ?) as data from run_output where run_id = ? and attempt = ?

-- name: bounds
select run_id, bound from run_bound where run_id in (select value from json_each(?))

-- name: standings
select run_id, attempt, state,
    (select json_group_array(o.attempt) from run_output o where o.run_id = run.run_id) as stored
from json_each(?) asked cross join run on run.run_id = asked.value

-- name: add_output
insert or ignore into run_output (run_id, attempt, length, sha256, data) values (?, ?, ?, ?, ?)
