-- CreateTable
CREATE TABLE "NotificationPreference" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "channel" TEXT NOT NULL DEFAULT '*',
    "type" TEXT NOT NULL DEFAULT '*',
    "enabled" BOOLEAN,
    "quietFrom" TEXT,
    "quietTo" TEXT,
    "timeZone" TEXT
);

-- CreateIndex
CREATE UNIQUE INDEX "NotificationPreference_userId_channel_type_key" ON "NotificationPreference"("userId", "channel", "type");
