import { expect, it } from 'vitest'
import { covers, sameEpoch } from './position'

it('compares positions by number, and only within one start of the server', () => {
  expect(covers('2026-11-24T12:00:00.123Z.10', '2026-11-24T12:00:00.123Z.9')).toBe(true)
  expect(covers('a.9', 'a.10')).toBe(false)
  expect(covers('b.99', 'a.10')).toBe(false)
  expect(sameEpoch('a.1', 'a.2')).toBe(true)
  expect(sameEpoch('a.1', 'b.1')).toBe(false)
})
