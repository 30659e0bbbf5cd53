import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiClient, ApiError, apiUrl } from '../src/api/client.ts'

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let server: Server
let asked: Asked[]
let answer: (response: ServerResponse) => void
let api: ApiClient

beforeEach(async () => {
  asked = []
  answer = (response) => response.writeHead(204).end()
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  api = new ApiClient((input, init) => fetch(base + String(input), init))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function problem(status: number, more: object, headers: Record<string, string> = {}): void {
  answer = (response) => {
    response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers })
    response.end(JSON.stringify(more))
  }
}

describe('an address', () => {
  it('leaves out what is empty and escapes the rest', () => {
    expect(apiUrl('/history/calls', { q: '路灯 & 水', line: '', agent: null, limit: 50, before: undefined })).toBe(
      '/api/v1/history/calls?q=%E8%B7%AF%E7%81%AF+%26+%E6%B0%B4&limit=50',
    )
  })
})

describe('the API', () => {
  it('decodes answers, and gives nothing for those without a body', async () => {
    answer = (response) => void response.writeHead(200).end('{"id":"o1"}')
    expect(await api.get('/orders/o1')).toEqual({ id: 'o1' })
    answer = (response) => response.writeHead(204).end()
    expect(await api.delete('/session')).toBeUndefined()
  })

  it('repeats the csrf value with unsafe methods only', async () => {
    api.csrf = 'token'
    await api.get('/session')
    await api.patch('/orders/o1/fields', { fields: { title: 'x' } })
    expect(asked.map((one) => one.headers['x-csrf-token'])).toEqual([undefined, 'token'])
    expect(asked[1]).toMatchObject({
      method: 'PATCH',
      url: '/api/v1/orders/o1/fields',
      body: '{"fields":{"title":"x"}}',
    })
    expect(asked[1]?.headers['content-type']).toBe('application/json')
  })

  it('throws refusals in the gateway’s words', async () => {
    problem(409, { detail: 'somebody else was faster', code: 'stale' })
    const refusal = await api.post('/orders/o1/submit').catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(ApiError)
    expect(refusal).toMatchObject({ status: 409, detail: 'somebody else was faster', code: 'stale', retryAfter: null })
    problem(429, { detail: 'slower' }, { 'Retry-After': '7' })
    await expect(api.get('/x')).rejects.toMatchObject({ status: 429, retryAfter: 7 })
  })

  it('makes do with the status line where a proxy answers', async () => {
    answer = (response) => void response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>Bad</h1>')
    await expect(api.get('/x')).rejects.toMatchObject({ status: 502, detail: '502 Bad Gateway' })
  })

  it('tells when the session is over, but not of a wrong password', async () => {
    api.onSignedOut = vi.fn()
    problem(401, { detail: 'not signed in' })
    await expect(api.post('/session', {})).rejects.toMatchObject({ status: 401 })
    expect(api.onSignedOut).not.toHaveBeenCalled()
    api.csrf = 'token'
    await expect(api.get('/calls')).rejects.toMatchObject({ status: 401 })
    expect(api.onSignedOut).toHaveBeenCalledOnce()
  })

  it('has status 0 where nobody answers', async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await expect(api.get('/x')).rejects.toMatchObject({ status: 0 })
  })

  it('lets the caller give up', async () => {
    answer = () => undefined
    const abort = new AbortController()
    const pending = api.get('/slow', {}, abort.signal)
    abort.abort()
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' })
  })
})
