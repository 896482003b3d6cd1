// @vitest-environment jsdom
import { expect, it } from 'vitest'
import { markdownHtml } from './markdown'

it('renders what a description needs', () => {
  expect(markdownHtml('Loads **all**.\n\n- `a`')).toBe('<p>Loads <strong>all</strong>.</p>\n<ul>\n<li><code>a</code></li>\n</ul>\n')
})

it('lets no element, handler, picture or foreign scheme through', () => {
  const html = markdownHtml('<script>x</script><b onclick=x>b</b> ![p](http://example.com/p.png) [l](javascript:alert(1)) [d](data:text/html,x)')
  const page = document.createElement('div')
  page.innerHTML = html
  expect([...page.querySelectorAll('script, b, img, a, [onclick]')]).toEqual([])
})
