-- name: insert_revision
insert into revision (repo, revision, author, time, message, verdict, decided_at, difference, findings)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)


-- name: insert_applied
insert into applied_file (repo, path, blob) values (?, ?, ?)

-- name: insert_version
insert into job_version (blob, text) values (?, ?) on conflict (blob) do nothing

-- name: applied_paths
select path, blob from applied_file where repo = ?

-- name: delete_applied_path
delete from applied_file where repo = ? and path = ?

-- name: applied_revision
select * from revision where repo = ? and verdict = 'applied' order by seq desc limit 1

-- name: applied_files
select path, blob, text from applied_file join job_version using (blob) where repo = ?

-- name: verdicts
select * from revision where repo = ? order by seq desc limit ?

-- name: save_planned
insert into planned (job_id, until, remake) values (?, ?, ?)
on conflict (job_id) do update set until = excluded.until, remake = excluded.remake

-- name: delete_planned
delete from planned where job_id = ?

-- name: planned
select job_id, until, remake from planned

-- name: save_fact
insert into fact (name, value) values (?, ?) on conflict (name) do update set value = excluded.value

-- name: fact
select value from fact where name = ?

-- name: delete_fact
delete from fact where name = ?
