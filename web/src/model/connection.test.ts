import { expect, it } from 'vitest'
import { backoffMs } from './connection'

it('waits longer after each failure, but never long', () => {
  expect(backoffMs(1, 0.5)).toBe(500)
  expect(backoffMs(3, 0.5)).toBe(2_000)
  expect(backoffMs(50, 1)).toBe(12_500)
})
