import { expect, it } from 'vitest'
import { size } from './bytes'

it('says sizes in binary units', () => {
  expect([size(0), size(1023), size(1536), size(16 * 1024 ** 2)]).toEqual(['0 B', '1023 B', '1.5 KiB', '16.0 MiB'])
})
