/** The row that `j` and `k` move and `enter` opens. */

import { ref, type Ref } from 'vue'
import { useShortcuts } from './useShortcuts'

export interface RowCursor {
  index: Ref<number>
}

/** Rows are named by index; those that cannot be opened are stepped over. */
export function useRowCursor(rows: {
  first(): number
  last(): number
  opens(index: number): boolean
  show(index: number): void
  open(index: number): void
}): RowCursor {
  const index = ref(-1)

  function move(by: 1 | -1): void {
    let next = index.value === -1 ? rows.first() : index.value + by
    while (next >= 0 && next <= rows.last() && !rows.opens(next)) next += by
    if (next < 0 || next > rows.last()) return
    index.value = next
    rows.show(next)
  }

  useShortcuts({
    j: () => {
      move(1)
    },
    k: () => {
      move(-1)
    },
    Enter: () => {
      // A focused link or button keeps its own enter.
      if (document.activeElement instanceof HTMLElement && document.activeElement.matches('a, button')) {
        document.activeElement.click()
      } else if (index.value >= 0) rows.open(index.value)
    },
  })
  return { index }
}
