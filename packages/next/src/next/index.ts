export { type SubscriptionRoutesOptions, subscriptionRoutes } from "./subscription-routes.js";
