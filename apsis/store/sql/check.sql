-- What `apsis db check` asks; most find the ids of what should not be, and read all rows for it.

-- name: runs_without_log
select run_id as id from run where not exists (select 1 from run_log l where l.run_id = run.run_id)

-- name: wrong_times
select run_id as id from run where times <> (
    select json_group_object(state, time) from (
        select state, time, max(seq) as seq from (
            select seq, time, state, lag(state) over (order by seq) as before from run_log
            where run_log.run_id = run.run_id)
        where before is not state group by state order by 3))
and exists (select 1 from run_log l where l.run_id = run.run_id)

-- name: unbound_runs
select run_id as id from run where state in ('waiting', 'starting', 'running', 'stopping')
and not exists (select 1 from run_bound b where b.run_id = run.run_id)

-- name: logs_without_run
select distinct run_id as id from run_log l where not exists (select 1 from run where run.run_id = l.run_id)

-- name: bound_without_run
select run_id as id from run_bound b where not exists (select 1 from run where run.run_id = b.run_id)

-- name: meta_without_run
select run_id as id from run_meta m where not exists (select 1 from run where run.run_id = m.run_id)

-- name: outputs_without_run
select distinct run_id as id from run_output o where not exists (select 1 from run where run.run_id = o.run_id)

-- name: args_without_run
select distinct job_id as id from run_arg a where not exists (select 1 from run where run.seq = a.seq)

-- name: wrong_counts
select state as id from run_count c where count <> (select count(*) from run where run.state = c.state)

-- name: files_without_text
select path as id from applied_file f where not exists (select 1 from job_version v where v.blob = f.blob)

-- name: known_files
select run_id, attempt from run_output indexed by run_output_file where data is null
union all select run_id, attempt from archived_file

-- name: names_output
select 1 from run_output where run_id = ? and attempt = ? and data is null
