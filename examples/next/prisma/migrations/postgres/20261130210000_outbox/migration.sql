-- CreateTable
CREATE TABLE "Outbox" (
    "id" SERIAL NOT NULL,
    "topic" TEXT NOT NULL,
    "aggregateType" TEXT NOT NULL,
    "aggregateId" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "publishedAt" TIMESTAMP(3),
    "error" TEXT,

    CONSTRAINT "Outbox_pkey" PRIMARY KEY ("id")
);

-- What is not published yet: Prisma's schema can't say it.
CREATE INDEX "Outbox_open" ON "Outbox"("id") WHERE "publishedAt" IS NULL;
