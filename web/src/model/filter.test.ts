import { describe, expect, it } from 'vitest'
import { accepts, EVERY_RUN, filterQuery, isEveryRun, parseFilter, toggleState } from './filter'
import { aRun } from './run.factory'

describe('the filter in the address', () => {
  it('is read from one value with commas or from several', () => {
    expect(parseFilter({ state: 'error,failure' }).states).toEqual(['failure', 'error'])
    expect(parseFilter({ state: ['failure', 'error'] }).states).toEqual(['failure', 'error'])
  })

  it('leaves out what it cannot read', () => {
    expect(parseFilter({ state: 'broken,,success', job_id: '  ' })).toEqual({ jobId: null, states: ['success'] })
    expect(isEveryRun(parseFilter({ state: null }))).toBe(true)
  })

  it('comes back as it was written', () => {
    const filter = parseFilter({ job_id: 'etl/load', state: 'running,waiting' })
    expect(parseFilter(filterQuery(filter))).toEqual(filter)
    expect(filterQuery(EVERY_RUN)).toEqual({})
  })
})

describe('a filter', () => {
  it('matches the job exactly and any of the states', () => {
    const filter = parseFilter({ job_id: 'etl/load', state: 'failure,error' })
    expect(accepts(filter, aRun({ state: 'error' }))).toBe(true)
    expect(accepts(filter, aRun({ state: 'success' }))).toBe(false)
    expect(accepts(filter, aRun({ state: 'error', jobId: 'etl/load/more' }))).toBe(false)
  })

  it('turns a state on and off', () => {
    const on = toggleState(EVERY_RUN, 'failure')
    expect(on.states).toEqual(['failure'])
    expect(isEveryRun(toggleState(on, 'failure'))).toBe(true)
  })
})
