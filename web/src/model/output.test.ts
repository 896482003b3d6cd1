import { describe, expect, it } from 'vitest'
import { bytesOf, OutputText, unseen } from './output'

const encoder = new TextEncoder()

function output(pieces: (string | Uint8Array)[], text = new OutputText()): OutputText {
  for (const piece of pieces) text.push(typeof piece === 'string' ? encoder.encode(piece) : piece)
  return text
}

function html(text: OutputText): string[] {
  return text.lines.map((line) => line.html)
}

describe('lines', () => {
  it('are the same wherever the pieces are cut', () => {
    const whole = 'one\ntwo\r\n\nfour'
    const once = html(output([whole]))
    expect(once).toEqual(['one', 'two', '', 'four'])
    expect(html(output([...whole]))).toEqual(once)
  })

  it('are numbered from one, and a line without an end is one too', () => {
    expect(output(['a\nb\nc']).lines.map((line) => line.number)).toEqual([1, 2, 3])
    expect(output(['a\nb\n']).lines.map((line) => line.number)).toEqual([1, 2])
  })

  it('keep a character together that two pieces share', () => {
    const bytes = encoder.encode('ü✓\n')
    expect(html(output([bytes.slice(0, 1), bytes.slice(1, 3), bytes.slice(3)]))).toEqual(['ü✓'])
  })

  it('start again after a carriage return, as a progress bar wants', () => {
    expect(html(output(['10%\r20', '%\r', '30%\ndone']))).toEqual(['30%', 'done'])
  })

  it('go on in unnumbered rows when they are too long', () => {
    const text = output(['abcdefgh\ni'], new OutputText(100, 3))
    expect(html(text)).toEqual(['abc', 'def', 'gh', 'i'])
    expect(text.lines.map((line) => line.number)).toEqual([1, null, null, 2])
  })

  it('are let go at the beginning when there are too many, and keep their numbers', () => {
    const text = output(['1\n2\n3\n4\n5\n'], new OutputText(2))
    expect(text.lines.map((line) => line.number)).toEqual([4, 5])
    expect(text.dropped).toBe(3)
  })
})

describe('colours', () => {
  it('carry over lines and pieces', () => {
    const [first, second, third] = html(output(['\u001b[31mred\nstill', ' red\u001b[0m\nplain']))
    expect(first).toContain('ansi-red-fg')
    expect(second).toContain('ansi-red-fg')
    expect(third).toBe('plain')
  })

  it('are understood when an escape is cut in two', () => {
    expect(html(output(['\u001b[3', '1mred']))).toEqual(html(output(['\u001b[31mred'])))
  })

  it('are forgotten when the output begins anew', () => {
    const text = output(['\u001b[31mred'])
    text.clear()
    expect(html(output(['plain'], text))).toEqual(['plain'])
  })
})

describe('hostile output', () => {
  it('stays text', () => {
    expect(html(output(['<script>alert("x")</script> & <b>']))).toEqual([
      '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &lt;b&gt;',
    ])
  })

  it('hides nothing behind an escape that never ends', () => {
    expect(html(output(['\u001b]8;;http://x\none\n\u001b[3\ufffd\ntwo\u001b\nthree']))).toEqual([']8;;http://x', 'one', '[3\ufffd', 'two', 'three'])
  })

  it('makes no element, cut anywhere and coloured', () => {
    const evil = '\u001b[1;31m<img src=x onerror=alert(1)>\u001b[38;5;"><script>m\u001b]8;;javascript:alert(1)\u0007x\u001b]8;;\u0007'
    for (const line of [...html(output([evil])), ...html(output([...evil]))]) {
      expect(line.replace(/<\/?span[^<>]*>/g, '')).not.toMatch(/[<>]|href/)
    }
  })
})

describe('bytes by offset', () => {
  it('are read from base64', () => {
    expect([...bytesOf('AP8K')]).toEqual([0, 255, 10])
  })

  it('are taken once, and a gap is noticed', () => {
    const bytes = bytesOf('AQIDBA==')
    expect([...(unseen(10, 10, bytes) ?? [])]).toEqual([1, 2, 3, 4])
    expect([...(unseen(12, 10, bytes) ?? [])]).toEqual([3, 4])
    expect([...(unseen(20, 10, bytes) ?? [])]).toEqual([])
    expect(unseen(9, 10, bytes)).toBeNull()
  })
})
