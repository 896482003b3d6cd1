import { expect, it } from 'vitest'
import { EscapeFilter } from './escapes'

function shown(...pieces: string[]): string {
  const filter = new EscapeFilter()
  return pieces.map((piece) => filter.take(piece)).join('') + filter.end()
}

it('keeps colours, wherever they are cut', () => {
  const text = 'a\u001b[1;31mred\u001b[0m'
  expect(shown(text)).toBe(text)
  expect(shown(...text)).toBe(text)
})

it('leaves out what moves the cursor, sets a title or makes a link, but no words', () => {
  const text = '\u001b[2J\u001b[?25l\u001b(Ba\u001b]0;title\u0007b\u001b]8;;javascript:x\u001b\\link\u001b]8;;\u001b\\\u001b7c'
  expect(shown(text)).toBe('ablinkc')
  expect(shown(...text)).toBe('ablinkc')
})

it('shows the words of a sequence that never ends', () => {
  expect(shown('\u001b]8;;http://x', ' and more')).toBe(']8;;http://x and more')
  expect(shown('\u001b[12', '\ufffd rest')).toBe('[12\ufffd rest')
  expect(shown('end\u001b')).toBe('end')
})

it('does not wait for the end of a sequence for ever', () => {
  const filter = new EscapeFilter()
  expect(filter.take(`\u001b]8;;${'x'.repeat(3_000)}`)).toBe(`]8;;${'x'.repeat(3_000)}`)
})
