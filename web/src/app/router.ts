// The pages and who may open them. A page that is not listed here is not there.

import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import type { Permission, Session } from '@/api/types.ts'
import { needArea } from '@/app/i18n.ts'
import { whyOf } from '@/common/refusal.ts'
import { useSession } from '@/stores/session.ts'

declare module 'vue-router' {
  interface RouteMeta {
    /** Open to these; without it: to everybody, signed in or not. */
    readonly for?: (me: Session) => boolean
    /** In the navigation under the message `app.nav.<nav>`. */
    readonly nav?: string
    /** Whole screen, without the layout's bar. */
    readonly bare?: boolean
  }
}

const may =
  (...any: readonly Permission[]) =>
  (me: Session): boolean =>
    any.some((one) => me.permissions.includes(one))
const seesAll = (me: Session): boolean => me.permissions.includes('see_all')

/** A page whose words come with it. */
function withWords<T>(area: string, load: () => Promise<T>): () => Promise<T> {
  return async () => (await Promise.all([load(), needArea(area)]))[0]
}

export const routes: RouteRecordRaw[] = [
  { path: '/login', name: 'login', component: () => import('@/app/LoginPage.vue'), meta: { bare: true } },
  {
    path: '/desk',
    name: 'desk',
    component: () => import('@/desk/DeskPage.vue'),
    meta: { nav: 'desk', for: (me) => me.agent !== null },
  },
  { path: '/wall', name: 'wall', component: () => import('@/wall/WallPage.vue'), meta: { nav: 'wall', for: seesAll } },
  {
    path: '/history',
    name: 'history',
    component: withWords('reports', withWords('history', () => import('@/history/HistoryPage.vue'))),
    meta: { nav: 'history', for: (me) => me.agent !== null || seesAll(me) },
    children: [
      { path: 'calls/:id', name: 'call', component: () => import('@/history/CallDetail.vue') },
      { path: 'orders/:id', name: 'order', component: () => import('@/history/OrderCall.vue') },
    ],
  },
  {
    path: '/reports',
    name: 'reports',
    component: withWords('reports', () => import('@/reports/ReportsPage.vue')),
    meta: { nav: 'reports', for: seesAll },
  },
  {
    path: '/admin',
    name: 'admin',
    component: withWords('admin', () => import('@/admin/AdminPage.vue')),
    meta: { nav: 'admin', for: may('see_deployment', 'see_deliveries', 'see_audit') },
    children: [
      {
        path: 'overview',
        name: 'admin.overview',
        component: withWords('failed', () => import('@/admin/OverviewPage.vue')),
        meta: { for: may('see_deployment') },
      },
      {
        path: 'doctor',
        name: 'admin.doctor',
        component: withWords('doctor', () => import('@/admin/DoctorPage.vue')),
        meta: { for: may('see_deployment') },
      },
      {
        path: 'deliveries',
        name: 'admin.deliveries',
        component: withWords('failed', () => import('@/admin/DeliveriesPage.vue')),
        meta: { for: may('see_deliveries') },
      },
      {
        path: 'unfinished',
        name: 'admin.unfinished',
        component: () => import('@/admin/UnfinishedPage.vue'),
        meta: { for: may('see_deliveries') },
      },
      {
        path: 'accounts',
        name: 'admin.accounts',
        component: () => import('@/admin/AccountsPage.vue'),
        meta: { for: may('manage_accounts') },
      },
      {
        path: 'tokens',
        name: 'admin.tokens',
        component: () => import('@/admin/TokensPage.vue'),
        meta: { for: may('manage_accounts') },
      },
      {
        path: 'audit',
        name: 'admin.audit',
        component: () => import('@/admin/AuditPage.vue'),
        meta: { for: may('see_audit') },
      },
    ],
  },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('@/app/NoPage.vue'), meta: { for: () => true } },
]

/** The pages in somebody's navigation, their first page first. */
export function pagesOf(me: Session): RouteRecordRaw[] {
  return routes.filter((one) => one.meta?.nav !== undefined && (one.meta.for?.(me) ?? true))
}

export const router = createRouter({ history: createWebHistory(), routes })

router.beforeEach(async (to) => {
  const session = useSession()
  while (!session.asked) {
    try {
      await session.load()
    } catch (error) {
      // The gateway is away: the page waits for it instead of pretending that nobody is signed in.
      session.unreachable = whyOf(error)
      await new Promise((resolve) => setTimeout(resolve, 2000))
    }
  }
  session.unreachable = ''
  const me = session.me
  if (me === null) {
    if (to.name === 'login') return true
    return { name: 'login', query: to.fullPath === '/' ? {} : { to: to.fullPath } }
  }
  const first = pagesOf(me)[0]?.path
  if (to.name === 'login' || to.path === '/') return first ?? { name: 'nowhere', params: { rest: ['none'] } }
  if (to.meta.for?.(me) === false) return first ?? { name: 'nowhere', params: { rest: ['none'] } }
  return true
})
