// The gateway's HTTP API, fetched. Refusals are `ApiError`s; what to say of them: common/refusal.ts.

export const API = '/api/v1'
const TIMEOUT_MS = 20_000
/** Characters of a body that is sent to its end though the page is left: browsers take 64 KiB of all such. */
const KEPT_ALIVE = 10_000

interface More {
  readonly code?: string
  readonly reason?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly retryAfter?: number | null
}

/** A refusal (RFC 9457 problem), or no answer at all (`status` 0). `detail` names cause and fix, in English. */
export class ApiError extends Error {
  readonly status: number
  readonly detail: string
  readonly code: string
  /** Why exactly, and with what: the words for it are `common/refusal.ts`'s. */
  readonly reason: string
  readonly params: Readonly<Record<string, unknown>>
  readonly retryAfter: number | null

  constructor(status: number, detail: string, { code = '', reason = '', params = {}, retryAfter = null }: More = {}) {
    super(detail)
    this.name = 'ApiError'
    this.status = status
    this.detail = detail
    this.code = code
    this.reason = reason
    this.params = params
    this.retryAfter = retryAfter
  }
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Ask {
  readonly query?: Query
  readonly body?: unknown
  readonly signal?: AbortSignal
  /** For what takes its time. */
  readonly timeoutMs?: number
}

/** `/api/v1` + path with its query; empty values are left out. Also for links and audio elements. */
export function apiUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return API + path + (text ? `?${text}` : '')
}

export class ApiClient {
  /** The session's csrf value; unsafe requests repeat it. */
  csrf: string | null = null
  /** Called when the gateway no longer knows the session. */
  onSignedOut: () => void = () => undefined
  private readonly fetch: typeof fetch

  constructor(fetcher: typeof fetch = (...args) => globalThis.fetch(...args)) {
    this.fetch = fetcher
  }

  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.ask('GET', path, { ...(query && { query }), ...(signal && { signal }) })
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.ask('POST', path, { body })
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.ask('PUT', path, { body })
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.ask('PATCH', path, { body })
  }

  delete<T>(path: string): Promise<T> {
    return this.ask('DELETE', path, {})
  }

  /** The decoded answer; `undefined` for one without a body. Throws `ApiError`, or the signal's abort. */
  async ask<T>(method: string, path: string, { query, body, signal, timeoutMs = TIMEOUT_MS }: Ask = {}): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (method !== 'GET' && this.csrf !== null) headers['X-CSRF-Token'] = this.csrf
    const text = body === undefined ? undefined : JSON.stringify(body)
    const limit = AbortSignal.timeout(timeoutMs)
    let answer: Response
    try {
      answer = await this.fetch(apiUrl(path, query), {
        method,
        headers,
        credentials: 'same-origin',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(text !== undefined && { body: text, keepalive: text.length < KEPT_ALIVE }),
      })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new ApiError(0, `no answer from the gateway (${error instanceof Error ? error.message : String(error)})`)
    }
    if (answer.ok) {
      const told = await answer.text()
      return (told ? JSON.parse(told) : undefined) as T
    }
    const refusal = await problemOf(answer)
    if (answer.status === 401 && this.csrf !== null) this.onSignedOut()
    throw refusal
  }
}

async function problemOf(answer: Response): Promise<ApiError> {
  let detail = `${answer.status} ${answer.statusText}`.trim()
  let code = ''
  let reason = ''
  let params: Readonly<Record<string, unknown>> = {}
  try {
    const told = (await answer.json()) as Readonly<Record<'detail' | 'code' | 'reason' | 'params', unknown>>
    if (typeof told.detail === 'string' && told.detail) detail = told.detail
    if (typeof told.code === 'string') code = told.code
    if (typeof told.reason === 'string') reason = told.reason
    if (typeof told.params === 'object' && told.params !== null) params = { ...told.params }
  } catch {
    // Not the gateway's own refusal (a proxy's page): the status line has to do.
  }
  const after = Number(answer.headers.get('Retry-After') ?? '')
  return new ApiError(answer.status, detail, { code, reason, params, retryAfter: after > 0 ? after : null })
}

/** The one client of the app. */
export const api = new ApiClient()
