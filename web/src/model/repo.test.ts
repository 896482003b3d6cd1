import { expect, it } from 'vitest'
import { caretPad, placeText, type Finding } from './repo'

const FINDING: Finding = {
  code: 'unknown-key',
  severity: 'error',
  path: 'etl/load.yaml',
  line: 7,
  column: 3,
  message: 'unknown key',
  help: null,
  source: '\tshedule: x',
}

it('puts the caret under its character, tabs among the ones before', () => {
  expect(caretPad('\t  key: x', 4)).toBe('\t  ')
  expect(caretPad('key', 1)).toBe('')
})

it('names a place as editors do, as far as it is known', () => {
  expect(placeText(FINDING)).toBe('etl/load.yaml:7:3')
  expect(placeText({ ...FINDING, column: null })).toBe('etl/load.yaml:7')
  expect(placeText({ ...FINDING, line: null })).toBe('etl/load.yaml')
})
