-- name: run_counts
select state, count from run_count

-- name: oldest_run
select min(schedule_time) as time from run

-- name: file_outputs
select count(*) as files, coalesce(sum(length), 0) as bytes from run_output indexed by run_output_file where data is null

-- name: delivery_counts
select type, delivered, failed from delivery_count

-- name: pending_deliveries
select count(*) as pending from (select 1 from delivery where next_at is not null limit ?)

-- name: set_aside_deliveries
select count(*) as set_aside from (select 1 from delivery where next_at is null limit ?)

-- name: count_missed
select count(*) as spans from (select 1 from missed limit ?)

-- name: large_outputs
select run_id, attempt, length from run_output indexed by run_output_file where data is null order by run_id, attempt
