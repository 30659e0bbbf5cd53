// Whom a call can be passed to: the gateway's directory, and what is typed. Pure but for the fetch.

import { api } from '@/api/client.ts'
import type { AgentState } from '@/stream/frames.ts'

export interface Directory {
  readonly agents: readonly {
    readonly id: string
    readonly name: string
    readonly state: AgentState
    readonly lines: readonly string[]
    readonly search: string
  }[]
  readonly lines: readonly {
    readonly id: string
    readonly name: string
    readonly queue: string
    readonly waiting: number
    readonly available: number
    readonly search: string
  }[]
  readonly units: readonly { readonly name: string; readonly phone: string; readonly search: string }[]
}

export interface Target {
  readonly kind: 'agent' | 'line' | 'unit' | 'number'
  readonly name: string
  readonly to: Record<string, string>
  readonly state?: AgentState
  readonly waiting?: number
  readonly available?: number
}

const NUMBER = /^[0-9*#+]{2,32}$/

export function directory(): Promise<Directory> {
  return api.get<Directory>('/directory')
}

/** What fits what was typed, whoever can take a call now first. Without a word: agents and lines. */
export function find(all: Directory, typed: string, self: string, most = 30): Target[] {
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean)
  const fits = (search: string): boolean => words.every((word) => search.toLowerCase().includes(word))
  const agents = all.agents
    .filter((one) => one.id !== self && fits(one.search))
    .sort((a, b) => Number(b.state === 'available') - Number(a.state === 'available'))
    .map((one): Target => ({ kind: 'agent', name: one.name, to: { agent: one.id }, state: one.state }))
  const lines = all.lines
    .filter((one) => fits(one.search))
    .map((one): Target => {
      const { waiting, available } = one
      return { kind: 'line', name: one.name, to: { queue: one.id }, waiting, available }
    })
  const units = all.units
    .filter((one) => fits(one.search))
    .map((one): Target => ({ kind: 'unit', name: one.name, to: { number: one.phone } }))
  const number = typed.replace(/[\s-]/g, '')
  const dialled: Target[] = NUMBER.test(number) ? [{ kind: 'number', name: number, to: { number } }] : []
  return [...dialled, ...agents, ...lines, ...units].slice(0, most)
}
