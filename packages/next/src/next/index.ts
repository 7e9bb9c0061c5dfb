export { type Access, type AdminOptions, type AdminRoute, adminRoute } from "./admin-route.js";
export { type JobContext, type JobRouteOptions, jobRoute, type PublicJob } from "./job-route.js";
export {
  type AppNotification,
  type NotificationRoutesOptions,
  type Notifications,
  notificationRoutes,
} from "./notification-routes.js";
export {
  type Preference,
  type PreferenceRoutesOptions,
  type Preferences,
  preferenceRoutes,
} from "./preference-routes.js";
export { type SubscriptionRoutesOptions, subscriptionRoutes } from "./subscription-routes.js";
export { type JobAdder, type UploadRoutesOptions, uploadRoutes } from "./upload-routes.js";
