/** Whether the window is too narrow for columns. */

import { onScopeDispose, ref, type Ref } from 'vue'

/** The same width stands in the style sheets. */
const NARROW = '(max-width: 720px)'

export function useNarrow(): Readonly<Ref<boolean>> {
  const query = matchMedia(NARROW)
  const narrow = ref(query.matches)
  const changed = (): void => {
    narrow.value = query.matches
  }
  query.addEventListener('change', changed)
  onScopeDispose(() => {
    query.removeEventListener('change', changed)
  })
  return narrow
}
