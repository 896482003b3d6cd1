-- name: insert_delivery
insert into delivery (key, run_id, message, event, created, tries, next_at)
values (:key, :run_id, :message, :event, :created, :tries, :created)

-- name: count_delivery
insert into delivery_count (type, delivered, failed)
select json_extract(message, '$.type'), :error is null, :error is not null from delivery where key = :key
on conflict (type) do update set delivered = delivered + excluded.delivered, failed = failed + excluded.failed

-- name: retry_delivery
update delivery set tries = tries + 1, next_at = :retry_at, error = :error where key = :key

-- name: delete_delivery
delete from delivery where key = ?

-- name: due_deliveries
select * from delivery where next_at <= ? order by next_at, created, rowid limit ?

-- name: next_delivery
select min(next_at) as next_at from delivery where next_at > ?

-- name: set_delivery_aside
update delivery set next_at = null, error = ? where key = ?

-- name: insert_missed
insert into missed (job_id, schedule, count, first, last, reason, at) values (?, ?, ?, ?, ?, ?, ?)

-- name: trim_missed
delete from missed where job_id = :job_id
and seq <= (select seq from missed where job_id = :job_id order by seq desc limit 1 offset :keep)

-- name: missed
select * from missed where job_id = ? order by seq desc limit ?
