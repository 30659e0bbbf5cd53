// Agents and lines as people call them, as far as the gateway still knows them.

import { useLive } from '@/stores/live.ts'
import { useSession } from '@/stores/session.ts'

export function useNames(): { agentName: (id: string) => string; queueName: (queue: string) => string } {
  const live = useLive()
  const session = useSession()
  return {
    agentName(id) {
      const name = live.topic('agents').get(id)?.name
      return name || (session.me?.agent === id ? session.me.name : id)
    },
    queueName: (queue) => session.lineOfQueue.get(queue)?.name ?? queue,
  }
}
