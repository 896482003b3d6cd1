-- When a run entered its states stands in its row too: a page of runs reads one table, not also their scattered logs.

alter table run add column times text not null default '{}';

update run set times = (
    select json_group_object(state, time) from (
        select state, time, max(seq) as seq from (
            select seq, time, state, lag(state) over (order by seq) as before from run_log
            where run_log.run_id = run.run_id)
        where before is not state group by state order by 3));
