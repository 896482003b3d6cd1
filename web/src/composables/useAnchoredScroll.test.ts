import { expect, it } from 'vitest'
import { placeOf } from './useAnchoredScroll'

it('finds the row at the top of the window again after rows came above it', () => {
  expect(placeOf(['a', 'b', 'c'], ['x', 'y', 'a', 'b', 'c'], 1)).toBe(3)
})

it('keeps the next row in its place when the one at the top is gone', () => {
  expect(placeOf(['a', 'b', 'c'], ['x', 'a', 'c'], 1)).toBe(1)
})

it('stays where it is when nothing is left of what was seen', () => {
  expect(placeOf(['a', 'b'], ['x'], 1)).toBe(1)
})
