//! Deleting by accident is refused, and the refusal says what to do instead.

use kube::Api;
use kube::api::DeleteParams;
use octroi_api::{Tenant, TenantClass};
use octroi_tests::Error;

use crate::on_stage;

#[tokio::test]
async fn a_class_in_use_and_a_protected_tenant_are_not_deleted() {
    on_stage("deletion", async |stage| {
        let class = stage.class("c", |_| {}).await?;
        let guest = stage.tenant(&class, "a", |_| {}).await?;
        guest.ready().await?;

        let tenants = Api::<Tenant>::all(stage.client.clone());
        let refusal = refused(tenants.delete(&guest.name, &DeleteParams::default()).await.map(drop));
        assert!(refusal.contains("is protected from deletion"), "{refusal}");
        assert!(refusal.contains(&format!("kubectl patch tenant {}", guest.name)), "{refusal}");

        let classes = Api::<TenantClass>::all(stage.client.clone());
        let refusal = refused(classes.delete(&class, &DeleteParams::default()).await.map(drop));
        assert!(refusal.contains(&format!("TenantClass {class} is in use by 1 Tenant")), "{refusal}");
        assert!(refusal.contains("Move each to another class first"), "{refusal}");
        guest.ready().await
    })
    .await;
}

fn refused(outcome: Result<(), kube::Error>) -> String {
    match outcome {
        Ok(()) => panic!("the deletion must be refused"),
        Err(error) => {
            let error = Error::kube("deleting")(error);
            assert!(matches!(error.code(), Some(403 | 422)), "{error}");
            error.api_message().to_owned()
        }
    }
}
