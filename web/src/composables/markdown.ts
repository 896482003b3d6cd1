/** Descriptions: Markdown from a job repository, which is not to be trusted with HTML. */

import DOMPurify from 'dompurify'
import MarkdownIt from 'markdown-it'

const markdown = new MarkdownIt({ html: false, linkify: true })

markdown.renderer.rules.link_open = (tokens, index, options, env, renderer) => {
  const token = tokens[index]
  const target = linkTarget(String(token?.attrGet('href') ?? ''), String(env?.['jobId'] ?? ''))
  // Without an address it is words only.
  if (token !== undefined) token.attrs = target === null ? null : [['href', target]]
  return renderer.renderToken(tokens, index, options)
}

/** Pictures are left out: they would be requests to other hosts. */
const ALLOWED_TAGS = [
  ...['p', 'br', 'strong', 'em', 's', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'hr', 'a'],
  ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
]

/** The HTML of a job's description; a link to another job's file leads to that job. */
export function markdownHtml(text: string, jobId: string): string {
  return DOMPurify.sanitize(markdown.render(text, { jobId }), {
    ALLOWED_TAGS,
    ALLOWED_ATTR: ['href', 'title'],
    ALLOW_DATA_ATTR: false,
  })
}

/** Where a link of a description leads: other files of the repository than jobs cannot be shown here. */
export function linkTarget(href: string, jobId: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(href)) return href
  const base = new URL(jobId.split('/').map(encodeURIComponent).join('/'), 'job://repository/')
  const url = URL.canParse(href, base) ? new URL(href, base) : null
  return url?.host === base.host && url.pathname.endsWith('.yaml') ? `/jobs${url.pathname.slice(0, -'.yaml'.length)}` : null
}
